// A server with one route, POST /embed as text-embeddings-inference has it, around a runtime for Node.js.
// node server.mjs transformers FOLDER PORT [DTYPE] | llama FILE PORT
import { createServer } from "node:http";

async function transformers(folder, dtype = "fp32") {
  const { env, pipeline } = await import("@huggingface/transformers");
  env.allowRemoteModels = false;
  env.localModelPath = "";
  const extract = await pipeline("feature-extraction", folder, { dtype });
  return async (text) => Array.from((await extract(text, { pooling: "mean", normalize: true })).data);
}

async function llama(file) {
  const { getLlama } = await import("node-llama-cpp");
  const engine = await getLlama({ gpu: false, build: "never", logLevel: "error" });
  const model = await engine.loadModel({ modelPath: file });
  const context = await model.createEmbeddingContext();
  return async (text) => {
    const { vector } = await context.getEmbeddingFor(text);
    const size = Math.hypot(...vector); // llama.cpp's own server scales to length 1 by default
    return Array.from(vector, (value) => value / size);
  };
}

const [runtime, place, port, ...options] = process.argv.slice(2);
const embed = await { transformers, llama }[runtime](place, ...options);

createServer(async (request, response) => {
  const parts = [];
  for await (const part of request) parts.push(part);
  const answer = (status, value) => {
    response.writeHead(status, { "Content-Type": "application/json" });
    response.end(JSON.stringify(value));
  };
  if (request.method !== "POST" || request.url !== "/embed") return answer(404, { error: "no such route" });
  try {
    const embeddings = [];
    for (const text of JSON.parse(Buffer.concat(parts)).inputs) embeddings.push(await embed(text));
    answer(200, embeddings);
  } catch (error) {
    answer(422, { error: String(error) });
  }
}).listen(Number(port), "127.0.0.1");
