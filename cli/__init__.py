"""The verbs of `./run`: thin hands on files, PM2 and HTTP. Nothing here decides about money."""
