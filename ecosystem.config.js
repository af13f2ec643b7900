// The processes of one home, for PM2. `./run up` reads this; `pm2 start ecosystem.config.js` does the same for the
// home in TRADE_ENGINE_HOME (default: this checkout), but restarts what already runs.
'use strict';

const fs = require('fs');
const path = require('path');

const home = path.resolve(process.env.TRADE_ENGINE_HOME || __dirname);
const python = path.join(__dirname, '.venv', 'bin', 'python');

// PM2 writes each app's environment in plain text into its dump, so only these names pass. Secrets that credentials.json
// takes from the environment ("env:NAME") belong into <home>/.env, which the programs read themselves.
const passes = (name) =>
  name.startsWith('TRADE_ENGINE_') || name.startsWith('LC_') ||
  ['PATH', 'HOME', 'USER', 'LOGNAME', 'SHELL', 'LANG', 'TZ', 'TMPDIR', 'SSL_CERT_FILE'].includes(name);
const names = Object.keys(process.env);
const environment = Object.fromEntries(names.filter(passes).map((name) => [name, process.env[name]]));

const app = (name, script, ...args) => ({
  name,
  script: python,
  args: [path.join(__dirname, script), ...args],
  interpreter: 'none',
  cwd: __dirname,
  // filter_env drops every name that contains one of these; env puts back what may pass.
  filter_env: names.filter((name) => !passes(name)),
  env: { ...environment, TRADE_ENGINE_HOME: home, PYTHONUNBUFFERED: '1' },
  wait_ready: true,
  listen_timeout: 30000,
  kill_timeout: 15000,
  exp_backoff_restart_delay: 100,
  stop_exit_codes: [78], // "configuration invalid": restarting would not mend it
  vizion: false, // no git look-ups
  pmx: false, // no tracing agent
  merge_logs: true,
  time: false,
});

const apps = [
  app('tradingview-endpoint', 'signal_endpoints/tradingview_endpoint.py'),
  app('tradingview-signals', 'signal_processors/tradingview_processor.py'),
  app('bittensor-signals', 'signal_processors/bittensor_processor.py'),
  app('trade-engine', 'execute_trades.py'),
];

// A demo home says in demo.json where its simulated venues and its feed of traders listen.
const demo = path.join(home, 'demo.json');
if (fs.existsSync(demo)) {
  const { seed, simulator_port: port, accounts, feed_port: feed } = JSON.parse(fs.readFileSync(demo, 'utf8'));
  if (feed !== undefined) {
    apps.unshift(app('sn8-feed', 'simulator/feed/server.py', '--port', String(feed),
      '--ready-file', path.join(home, 'state', 'feed.jsonl')));
  }
  apps.unshift(app('venue-simulator', 'simulator/server.py', '--seed', String(seed), '--port-base', String(port),
    '--accounts', accounts, '--ready-file', path.join(home, 'state', 'simulator.jsonl')));
}

module.exports = { apps };
