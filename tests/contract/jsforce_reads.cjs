// Reads an org with jsforce, unmodified, and prints what it got as one line of JSON.
// node jsforce_reads.cjs FOLDER-WITH-node_modules URL TOKEN
const path = require('node:path');
const { createRequire } = require('node:module');

const [folder, instanceUrl, accessToken] = process.argv.slice(2);
const jsforce = createRequire(path.join(folder, 'any.js'))('jsforce');

async function main() {
  const connection = new jsforce.Connection({ instanceUrl, accessToken, version: '62.0' });
  const out = {};
  const listed = await connection.describeGlobal();
  out.objects = listed.sobjects.length;
  out.fields = (await connection.describe('Account')).fields.map((field) => field.name);
  const soql = 'SELECT Id, Name, Phone, Account.Name FROM Contact';
  out.contacts = (await connection.query(soql, { autoFetch: true, maxFetch: 1000000 })).records;
  const all = 'SELECT Id, IsDeleted FROM Contact';
  out.all = (
    await connection.query(all, { autoFetch: true, maxFetch: 1000000, scanAll: true })
  ).records;
  out.limits = Object.keys(await connection.limits());
  const stream = await connection.bulk2.query('SELECT Id, Name, Phone FROM Contact', {
    pollInterval: 50,
    pollTimeout: 30000,
  });
  out.bulk = await stream.toArray();
  const tooling = await connection.tooling.query(
    "SELECT QualifiedApiName FROM FieldDefinition WHERE EntityDefinition.QualifiedApiName = 'Lead'",
  );
  out.tooling = tooling.records.length;
  try {
    await connection.query('SELECT Nope FROM Account');
  } catch (error) {
    out.error = error.errorCode;
  }
  process.stdout.write(`${JSON.stringify(out)}\n`);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
