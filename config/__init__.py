"""What a user configures: file models, hot reload, the home's paths, and the life of a process in it."""
