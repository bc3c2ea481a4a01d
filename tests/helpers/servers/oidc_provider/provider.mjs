// node provider.mjs SETTINGS.json - an OpenID Provider on localhost over TLS.
//
// SETTINGS: module (path of oidc-provider), port, key, certificate (paths), clients (as the package
// wants them), people (name → claims; the login form takes any password).
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';

const settings = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const { default: Provider } = await import(settings.module);

const provider = new Provider(`https://localhost:${settings.port}`, {
  clients: settings.clients,
  scopes: ['openid', 'email', 'profile', 'groups'],
  claims: {
    openid: ['sub'],
    email: ['email', 'email_verified'],
    profile: ['preferred_username'],
    groups: ['groups'],
    auth_time: null,
  },
  pkce: { methods: ['S256'], required: () => true },
  cookies: { keys: ['only for tests'] },
  async findAccount(_context, id) {
    const claims = settings.people[id];
    return claims && { accountId: id, async claims() { return { sub: id, ...claims }; } };
  },
});
provider.on('server_error', (_context, error) => console.error(error));
provider.on('grant.error', (_context, error) => console.error(`${error.message}: ${error.error_detail}`));

createServer(
  { key: readFileSync(settings.key), cert: readFileSync(settings.certificate) },
  provider.callback(),
).listen(settings.port, 'localhost', () => console.log('listening'));
