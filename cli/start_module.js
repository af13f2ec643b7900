// Starts an installed PM2 module under a daemon that runs already: node start_module.js NAME
// PM2 starts its modules by itself only together with its daemon, and `pm2 install` would download what is here.
'use strict';

const pm2 = require('../node_modules/pm2');
const modules = require('../node_modules/pm2/lib/API/Modules/NPM.js');

const name = process.argv[2];
const leave = (error) => {
  if (error) console.error(error.message || error);
  pm2.disconnect(() => process.exit(error ? 1 : 0));
};
pm2.connect((error) => (error ? leave(error) : modules.start(pm2, { [name]: {} }, name, leave)));
