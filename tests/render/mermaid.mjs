// Reads flowcharts (a JSON list of texts, in the file named first) with Mermaid's own parser, and prints what it understood.
import { readFileSync } from "node:fs";
import DOMPurify from "dompurify";
import mermaid from "mermaid";

// Without a browser there is no DOM that could be cleaned, and none is drawn into.
Object.assign(DOMPurify, { addHook() {}, sanitize: (text) => text });

const [path] = process.argv.slice(1);
const found = [];
for (const text of JSON.parse(readFileSync(path, "utf8"))) {
  try {
    await mermaid.parse(text);
    const { db } = await mermaid.mermaidAPI.getDiagramFromText(text);
    const boxes = [...db.getVertices().values()].map(({ id, text, classes }) => ({ id, text, classes }));
    const areas = db.getSubGraphs().map(({ id, title, classes, nodes }) => ({ id, text: title, classes, nodes }));
    found.push({ boxes, areas, arrows: db.getEdges().map(({ start, end }) => [start, end]), classes: [...db.getClasses().keys()] });
  } catch (error) {
    found.push({ error: String(error.message ?? error) });
  }
}
console.log(JSON.stringify(found));
