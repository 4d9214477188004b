// Draws the one picture that the scripts of the page would load, the name of the tool.
import { readFileSync, writeFileSync } from "node:fs";

const page = new URL("../../docs/api/index.html", import.meta.url);
const logo = /https:\/\/cdn\.redoc\.ly\/redoc\/logo-mini(-full)?\.svg/g;
const name =
  '<svg xmlns="http://www.w3.org/2000/svg" width="48" height="16"><text y="12" font-family="sans-serif" font-size="12" fill="#8ab4f8">Redocly</text></svg>';
const picture = "data:image/svg+xml," + encodeURIComponent(name);
writeFileSync(page, readFileSync(page, "utf8").replaceAll(logo, picture));
