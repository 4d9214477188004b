// Takes the one picture out of the page that its scripts would load.
import { readFileSync, writeFileSync } from "node:fs";

const page = new URL("../../docs/api/index.html", import.meta.url);
const logo = /https:\/\/cdn\.redoc\.ly\/redoc\/logo-mini(-full)?\.svg/g;
writeFileSync(page, readFileSync(page, "utf8").replaceAll(logo, "data:,"));
