// Looks at the overview as people do: by eye, by keyboard, without scripts, on a screen and on a telephone.
//
//   node tests/browser/overview.mjs http://127.0.0.1:8080/
//
// CHROMIUM    the browser, if not /usr/bin/chromium
// SCREENSHOT  overview.png: writes overview-1280.png and overview-400.png beside it, the whole page each
// DEMO=1      the page must say that it is made up
//
// Needs `npm ci` in crates/serve/web. Exit status 0 only if nothing was found.

import { createRequire } from "node:module";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const web = fileURLToPath(new URL("../../crates/serve/web/package.json", import.meta.url));
const fromWeb = createRequire(web);
const start = process.argv[2];
const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
if (!start) give_up("give the address of the overview: node tests/browser/overview.mjs http://127.0.0.1:8080/");
if (!existsSync(executablePath)) give_up(`${executablePath} is missing: apt-get install chromium, or set CHROMIUM`);
const { chromium } = load("playwright-core");
const axe = readFileSync(fromWeb.resolve("axe-core/axe.min.js"), "utf8");

const WIDTHS = [1280, 400];
const NARROWEST = 320; // WCAG 1.4.10, reflow
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
const SECTIONS = ["moment", "work", "silent", "headlines", "trend", "phases", "schools", "problems"];

const found = [];
let looked = 0;

/** One thing that must hold; what does not is listed at the end. */
function holds(truth, otherwise) {
  looked += 1;
  if (!truth) found.push(otherwise);
}

function fails(otherwise) {
  holds(false, otherwise);
}

function same(one, other, what) {
  holds(JSON.stringify(one) === JSON.stringify(other), `${what}: ${JSON.stringify(one)}, expected ${JSON.stringify(other)}`);
}

const browser = await chromium.launch({
  executablePath,
  args: [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
  ],
});
try {
  const figures = await answers();
  for (const width of WIDTHS) await screen(width, figures);
  await withoutScripts(figures);
  await byKeyboard();
  if (figures.schools.length > 0) await sorting(figures);
  await wrongAddress();
} catch (error) {
  fails(`the test could not go on: ${error.stack ?? error}`);
} finally {
  await browser.close();
}

if (found.length > 0) {
  console.error(`${found.length} of ${looked} checks failed at ${start}`);
  for (const otherwise of found) console.error(`  - ${otherwise}`);
  process.exit(1);
}
console.log(`overview: ${looked} checks passed at ${start}`);

/** What the other forms of the page answer; the page is held against them. */
async function answers() {
  const context = await browser.newContext();
  const get = (path) => context.request.get(new URL(path, start).href);
  const json = await get("/api/overview.json");
  if (!json.ok()) throw new Error(`/api/overview.json answers ${json.status()}: ${(await json.text()).slice(0, 300)}`);
  const figures = await json.json();
  for (const [path, rows] of [["/weeks.csv", figures.weeks], ["/schools.csv", figures.schools]]) {
    const csv = await get(path);
    holds(csv.ok() && csv.headers()["content-type"].startsWith("text/csv"), `${path} is no CSV`);
    const lines = (await csv.text()).trimEnd().split("\r\n");
    same(lines.length - 1, rows.length, `rows of ${path}`);
  }
  same((await get("/healthz")).status(), 200, "/healthz");
  await context.close();
  return figures;
}

async function screen(width, figures) {
  const at = `at ${width} px`;
  const { page, context } = await open({ viewport: { width, height: 900 } }, at);
  await structure(page, figures, at);
  await looks(page, at);
  const shot = process.env.SCREENSHOT;
  if (shot) await page.screenshot({ path: shot.replace(/(\.\w+)?$/, (end) => `-${width}${end || ".png"}`), fullPage: true });
  await accessible(page, at);
  await page.evaluate(() => document.querySelectorAll("details").forEach((details) => (details.open = true)));
  await accessible(page, `${at}, everything unfolded`);
  await reflows(page, `${at}, everything unfolded`);
  if (width === Math.min(...WIDTHS)) {
    await page.setViewportSize({ width: NARROWEST, height: 700 });
    await reflows(page, `at ${NARROWEST} px`);
    await chart(page, `at ${NARROWEST} px`);
  }
  await context.close();
}

/** Opens the overview; whatever it complains of or asks elsewhere is a finding. */
async function open(options, at) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  const host = new URL(start).host;
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) fails(`${at}: the console says: ${message.text()}`);
  });
  page.on("pageerror", (error) => fails(`${at}: ${error}`));
  page.on("request", (request) => {
    if (new URL(request.url()).host !== host) fails(`${at}: it asks another host: ${request.url()}`);
    if (request.resourceType() === "script" || request.resourceType() === "font") fails(`${at}: it fetches ${request.url()}`);
  });
  page.on("response", (response) => {
    if (response.status() >= 400) fails(`${at}: ${response.status()} for ${response.url()}`);
  });
  const response = await page.goto(start, { waitUntil: "load", timeout: 120_000 });
  same(response.status(), 200, `${at}: status`);
  const headers = response.headers();
  holds(headers["content-security-policy"]?.includes("default-src 'self'"), `${at}: no content security policy`);
  holds(headers["cache-control"] === "no-store", `${at}: the page may be kept by the browser`);
  return { page, context };
}

async function structure(page, figures, at) {
  same(await page.locator("html").getAttribute("lang"), "en", `${at}: language`);
  holds((await page.title()).includes(figures.authority), `${at}: the title does not name the authority`);
  const levels = await page.locator("h1, h2, h3, h4").evaluateAll((all) => all.map((heading) => Number(heading.tagName[1])));
  same(levels.filter((level) => level === 1).length, 1, `${at}: headings of level 1`);
  holds(levels.every((level, i) => i === 0 || level <= levels[i - 1] + 1), `${at}: heading levels leap: ${levels}`);
  for (const id of SECTIONS) same(await page.locator(`h2#${id}`).count(), 1, `${at}: heading #${id}`);
  const title = await page.locator("#trend").innerText();
  holds(title.split(/\s+/).length <= 10, `${at}: the chart's title is longer than ten words: ${title}`);
  if (process.env.DEMO) holds((await page.locator(".govuk-phase-banner").innerText()).includes("made up"), `${at}: it does not say that it is made up`);

  await rows(page, "alerts-table", figures.alerts?.length ?? 0, at);
  await rows(page, "weeks-table", figures.weeks.length, at);
  await rows(page, "phases-table", figures.phases.length, at);
  await rows(page, "schools-table", figures.schools.length, at);
  await rows(page, "problems-table", figures.problems?.length ?? 0, at);
  const silent = (await page.locator("#silent-table, #silent-rest-table").locator("xpath=..").locator("tbody tr").count());
  same(silent, figures.silent_schools.length, `${at}: schools that sent nothing`);
  same(await page.locator(".app-tile").count(), figures.headlines.length, `${at}: headline figures`);

  const empty = await page.locator("table th, table td").evaluateAll((cells) => cells.filter((cell) => cell.textContent.trim() === "").length);
  same(empty, 0, `${at}: empty cells`);
  const uneven = await page.locator("table").evaluateAll((tables) =>
    tables.filter((table) => new Set([...table.rows].map((row) => row.cells.length)).size !== 1 || !table.caption || table.querySelector("[colspan], [rowspan]")).length,
  );
  same(uneven, 0, `${at}: tables without caption, or with merged or missing cells`);
  const text = await page.locator("body").innerText();
  holds(!/NaN|null|undefined|Infinity|Some\(|None/.test(text), `${at}: a value is shown raw: ${text.match(/.{0,30}(NaN|null|undefined|Infinity|Some\(|None).{0,30}/)?.[0]}`);
}

async function rows(page, caption, expected, at) {
  const table = page.locator(`table:has(#${caption})`);
  same(await table.locator("tbody tr").count(), expected, `${at}: rows of ${caption}`);
}

async function looks(page, at) {
  await reflows(page, at);
  await chart(page, at);
  const fonts = await page.locator("body *").evaluateAll((all) => [...new Set(all.map((one) => getComputedStyle(one).fontFamily))]);
  same(fonts.filter((font) => !/^Arial, Helvetica/i.test(font)), [], `${at}: other typefaces than Arial (GOV.UK's own may be used on gov.uk only)`);
  const misaligned = await page.locator(".govuk-table__cell--numeric").evaluateAll((cells) => cells.filter((cell) => getComputedStyle(cell).textAlign !== "right").length);
  same(misaligned, 0, `${at}: numbers not aligned to the right`);
}

async function reflows(page, at) {
  const [content, window] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
  holds(content <= window, `${at}: the page scrolls sideways, ${content} px in ${window}`);
}

/** One chart is seen; its words can be read, do not cover each other and are not cut off. */
async function chart(page, at) {
  const seen = page.locator("svg.app-chart:visible");
  same(await seen.count(), 1, `${at}: charts seen`);
  holds(((await seen.first().getAttribute("aria-label")) ?? "").length > 60, `${at}: the chart has no text alternative`);
  const words = await seen.first().evaluate((svg) => {
    const edge = svg.getBoundingClientRect();
    return [...svg.querySelectorAll("text")].map((text) => {
      const { left, right, top, bottom } = text.getBoundingClientRect();
      const size = (parseFloat(getComputedStyle(text).fontSize) * edge.width) / svg.viewBox.baseVal.width;
      const inside = left >= edge.left - 1 && right <= edge.right + 1 && top >= edge.top - 1 && bottom <= edge.bottom + 1;
      return { words: text.textContent, left, right, top, bottom, size, inside };
    });
  });
  for (const one of words) {
    holds(one.inside, `${at}: “${one.words}” is cut off by the chart's edge`);
    holds(one.size >= 10, `${at}: “${one.words}” is ${one.size.toFixed(1)} px high`);
  }
  for (const [i, one] of words.entries()) {
    for (const other of words.slice(i + 1)) {
      const across = Math.min(one.right, other.right) - Math.max(one.left, other.left);
      const down = Math.min(one.bottom, other.bottom) - Math.max(one.top, other.top);
      holds(across <= 0 || down <= 3, `${at}: in the chart “${one.words}” covers “${other.words}”`);
    }
  }
}

async function accessible(page, at) {
  await page.evaluate(axe);
  const result = await page.evaluate((values) => globalThis.axe.run(document, { runOnly: { type: "tag", values } }), RULES);
  looked += result.passes.length;
  for (const violation of result.violations) {
    const where = violation.nodes.slice(0, 3).map((node) => node.target.join(" ")).join("; ");
    fails(`${at}: axe ${violation.id} (${violation.impact}): ${violation.help}: ${violation.nodes.length} × ${where}`);
  }
}

async function withoutScripts(figures) {
  const at = "without scripts";
  const { page, context } = await open({ javaScriptEnabled: false, viewport: { width: 1280, height: 900 } }, at);
  await rows(page, "schools-table", figures.schools.length, at);
  same(await page.locator("svg.app-chart:visible").count(), 1, `${at}: charts seen`);
  const weeks = page.locator("details#weeks");
  await weeks.locator("summary").click();
  holds(await weeks.locator("table").isVisible(), `${at}: the table of weeks does not unfold`);
  if (figures.schools.length === 0) return context.close();
  const phases = page.locator('nav[aria-label^="Phase"] a');
  await phases.last().click();
  const [, phase, schools] = (await page.locator('nav[aria-label^="Phase"] [aria-current]').innerText()).match(/(.*) \((\d+)\)/);
  same(await page.locator("table:has(#schools-table) tbody tr").count(), Number(schools), `${at}: schools of phase ${phase}`);
  same(Number(schools), figures.schools.filter((school) => school.phase === phase).length, `${at}: count of phase ${phase}`);
  const day = page.locator("details:has(#as-of)");
  await day.locator("summary").click();
  await day.locator("button").click();
  holds(new URL(page.url()).searchParams.get("as_of") === figures.stamp.as_of, `${at}: the form does not ask for the day it shows`);
  holds(page.url().includes("phase="), `${at}: choosing a day forgets the phase`);
  await context.close();
}

async function byKeyboard() {
  const at = "by keyboard";
  const { page, context } = await open({ viewport: { width: 1280, height: 900 } }, at);
  const focused = (of) => page.evaluate(of);
  await page.keyboard.press("Tab");
  const skip = page.locator(".govuk-skip-link");
  holds(await skip.evaluate((link) => link === document.activeElement && link.getBoundingClientRect().height > 10), `${at}: the first stop is not the skip link`);
  await page.keyboard.press("Enter");
  same(await focused(() => document.activeElement?.id), "main-content", `${at}: after the skip link the focus is on`);
  const stops = await page.locator("main :is(a[href], summary, [tabindex='0'])").count();
  const hidden = [];
  for (let i = 0; i < Math.min(stops, 60); i += 1) {
    await page.keyboard.press("Tab");
    const stop = await focused(() => {
      const here = document.activeElement;
      const style = getComputedStyle(here);
      const marked = style.outlineStyle !== "none" || style.boxShadow !== "none";
      return marked || here === document.body ? null : here.outerHTML.slice(0, 80);
    });
    if (stop) hidden.push(stop);
  }
  same(hidden, [], `${at}: stops that do not show that they are reached`);
  const weeks = page.locator("details#weeks");
  await weeks.locator("summary").focus();
  await page.keyboard.press("Enter");
  holds(await weeks.evaluate((details) => details.open), `${at}: the table of weeks does not unfold`);
  await context.close();
}

/** Follows a heading twice: highest first, then lowest first, with what is unknown last both times. */
async function sorting(figures) {
  const at = "sorting";
  const { page, context } = await open({ javaScriptEnabled: false, viewport: { width: 1280, height: 900 } }, at);
  const table = page.locator("table:has(#schools-table)");
  const heading = table.locator("thead th").nth(4);
  for (const [order, sign] of [["descending", -1], ["ascending", 1]]) {
    await heading.locator("a").click();
    same(await heading.getAttribute("aria-sort"), order, `${at}: aria-sort`);
    same(await table.locator("[aria-sort]").count(), 1, `${at}: columns said to be sorted`);
    const cells = (await table.locator("tbody tr td:nth-child(5)").allInnerTexts()).map((text) => parseFloat(text));
    const known = cells.filter((value) => !Number.isNaN(value));
    holds(known.every((value, i) => i === 0 || sign * (value - known[i - 1]) >= 0), `${at}: not ${order}: ${known}`);
    holds(cells.slice(0, known.length).every((value) => !Number.isNaN(value)), `${at}: the unknown does not come last`);
    same(cells.length, figures.schools.length, `${at}: rows`);
    holds(page.url().endsWith("#schools"), `${at}: it does not come back to the table`);
  }
  await context.close();
}

async function wrongAddress() {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
  const page = await context.newPage();
  for (const [path, status, says] of [["/?phase=nursery", 400, "phase"], ["/?asof=2026-11-20", 400, "asof"], ["/no-such-page", 404, "not found"]]) {
    const response = await page.goto(new URL(path, start).href);
    same(response.status(), status, `${path}: status`);
    holds((await page.locator("main").innerText()).toLowerCase().includes(says), `${path}: it does not say “${says}”`);
    await accessible(page, path);
  }
  await context.close();
}

function load(name) {
  try {
    return fromWeb(name);
  } catch {
    return give_up(`${name} is missing: run npm ci in crates/serve/web`);
  }
}

function give_up(why) {
  console.error(why);
  process.exit(2);
}
