// node cosmos-emulator.cjs: npm's @vercel/cosmosdb-server 1.0.1 on a free loopback port, which is
// printed, with what it lacks: atomic batches, queries within a partition, 404 for what is not
// there. These rules imitate Azure's documentation; it takes batches above 2 MB, and any key.
const { AsyncLocalStorage } = require("async_hooks");
const LIB = "@vercel/cosmosdb-server/lib/";
const PARTITION_KEY = "x-ms-documentdb-partitionkey";
const CROSS_PARTITION = "x-ms-documentdb-query-enablecrosspartition";
const batchBody = new AsyncLocalStorage();
const ofPartition = new AsyncLocalStorage();

const json = require(LIB + "json");
const readJson = json.default;
json.default = async (request) => {
  const known = batchBody.getStore();
  if (known) return known;
  const body = await readJson(request);
  if (Array.isArray(body)) {
    for (const operation of body) operation.partitionKey ??= request.headers[PARTITION_KEY];
  }
  return body;
};

const batch = require(LIB + "handler/batch-documents");
const runBatch = batch.default;
batch.default = async (account, request, response, params) => {
  const refuse = (message) => {
    response.statusCode = 400;
    return { code: "BadRequest", message };
  };
  const collection = account.database(params.dbId).collection(params.collId);
  const documents = collection.documents;
  const operations = await json.default(request);
  const before = [new Map(documents._data), new Map(documents._index), documents._ridCount];
  const key = JSON.parse(request.headers[PARTITION_KEY])[0];
  const path = ((collection.read() || {}).partitionKey || { paths: [] }).paths[0];
  if (operations.length > 100) {
    return refuse("Batch request has more operations than what is supported.");
  }
  const field = path && path.slice(1);
  if (operations.some((one) => one.resourceBody && field && one.resourceBody[field] !== key)) {
    return refuse("Partition key mismatch in batch");
  }
  const results = await batchBody.run(operations, () =>
    runBatch(account, request, response, params),
  );
  const failed = Array.isArray(results) ? results.findIndex((one) => one.statusCode >= 400) : -1;
  if (failed < 0) return results;
  [documents._data, documents._index, documents._ridCount] = before;
  response.statusCode = 207;
  return results.map((one, index) =>
    index === failed ? one : { statusCode: 424, requestCharge: 0 },
  );
};

const read = require(LIB + "handler/read-document");
const readDocument = read.default;
read.default = (account, request, response, params) => {
  try {
    return readDocument(account, request, response, params);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    response.statusCode = 404;
    return { code: "NotFound", message: "Entity with the specified id does not exist." };
  }
};

const Items = require(LIB + "account/items").default;
const queryItems = Items.prototype.query;
Items.prototype.query = function (...given) {
  const key = ofPartition.getStore();
  if (!key) return queryItems.apply(this, given);
  const all = this._data;
  const own = [...all].filter(([, item]) => this._getPartition(item.read()) === key[0]);
  this._data = new Map(own);
  try {
    return queryItems.apply(this, given);
  } finally {
    this._data = all;
  }
};

const query = require(LIB + "handler/query-documents");
const queryDocuments = query.default;
query.default = (account, request, response, params) => {
  const key = request.headers[PARTITION_KEY];
  if (!key || key === "[{}]") return queryDocuments(account, request, response, params);
  request.headers[CROSS_PARTITION] = "true";
  return ofPartition.run(JSON.parse(key), () => queryDocuments(account, request, response, params));
};

const server = require("@vercel/cosmosdb-server").createHttpServer();
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
