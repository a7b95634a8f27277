// What a page looks like, judged in the page itself. Each function is sent there alone, and returns what is wrong.

/** What sticks out of the page, and text that does not fit into its control. */
export function cutOff() {
  const found = [];
  const said = (element) => `"${(element.textContent || element.getAttribute("aria-label") || element.tagName).trim().slice(0, 40)}"`;
  if (document.documentElement.scrollWidth > window.innerWidth + 1) found.push(`the page is ${document.documentElement.scrollWidth} px wide`);
  for (const element of document.querySelectorAll("main :is(button, a, h1, h2, h3, label, select, input, dt, dd, th)")) {
    const box = element.getBoundingClientRect();
    const style = getComputedStyle(element);
    if (box.width === 0 || style.visibility === "hidden" || element.closest(".sr-only")) continue;
    let scrolls = false;
    for (let parent = element.parentElement; parent; parent = parent.parentElement)
      if (/(auto|scroll|hidden)/.test(getComputedStyle(parent).overflowX) && parent.scrollWidth > parent.clientWidth) scrolls = true;
    if (!scrolls && (box.right > window.innerWidth + 1 || box.left < -1)) found.push(`${said(element)} sticks out`);
    if (element.matches("button, label, h1, h2, h3, select") && element.scrollWidth > element.clientWidth + 1 && style.overflow !== "visible" && !element.querySelector(".truncate")) found.push(`${said(element)} is cut off`);
  }
  // What is cut with an ellipsis can be read whole: by its title, or in the row's own page.
  for (const element of document.querySelectorAll("main .truncate:not(td):not(td *)"))
    if (element.scrollWidth > element.clientWidth + 1 && !element.closest("[title], a, button")) found.push(`${said(element)} is shortened and has no title`);
  return found;
}

/** Text that something else lies upon. */
export function covered() {
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT, (node) => (node.textContent.trim() ? NodeFilter.FILTER_ACCEPT : NodeFilter.FILTER_SKIP));
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const element = node.parentElement;
    const style = getComputedStyle(element);
    if (element.closest(".sr-only, script, style, option, [aria-hidden=true], dialog:not([open])") || !element.checkVisibility({ visibilityProperty: true }) || style.pointerEvents === "none") continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    const box = range.getClientRects()[0];
    if (!box || box.width < 2 || box.height < 2) continue;
    const x = box.left + Math.min(box.width / 2, 20);
    const y = box.top + box.height / 2;
    if (x < 0 || y < 0 || x >= window.innerWidth || y >= window.innerHeight) continue;
    let clipped = false;
    for (let parent = element; parent && parent !== document.body; parent = parent.parentElement) {
      if (getComputedStyle(parent).overflow === "visible") continue;
      const frame = parent.getBoundingClientRect();
      if (x < frame.left || x > frame.right || y < frame.top || y > frame.bottom) clipped = true;
    }
    const top = document.elementFromPoint(x, y);
    if (clipped || !top || top.contains(element) || element.contains(top)) continue;
    found.push(`"${node.textContent.trim().slice(0, 40)}" lies under ${top.tagName.toLowerCase()} "${top.textContent.trim().slice(0, 30)}"`);
  }
  return found;
}

/** Text whose contrast with its ground is below 4.5 : 1, large text 3 : 1; what is disabled is not meant to be read. */
export function faint() {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (color) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    const [red, green, blue, alpha] = canvas.getImageData(0, 0, 1, 1).data;
    return [red, green, blue, alpha / 255];
  };
  const over = (front, back) => front.slice(0, 3).map((value, index) => value * front[3] + back[index] * (1 - front[3]));
  const light = (color) => {
    const [red, green, blue] = color.map((value) => (value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const ground = (element) => {
    const layers = [];
    for (let each = element; each; each = each.parentElement) {
      const color = rgba(getComputedStyle(each).backgroundColor);
      if (color[3] > 0) layers.push(color);
      if (color[3] === 1) break;
    }
    return layers.reduceRight((below, layer) => over(layer, below), rgba(getComputedStyle(document.documentElement).backgroundColor).slice(0, 3));
  };
  const found = new Map();
  for (const element of document.querySelectorAll("body *")) {
    if (![...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.textContent.trim())) continue;
    if (element.closest("script, style, noscript, option, .sr-only, :disabled, [aria-disabled=true]") || !element.checkVisibility({ visibilityProperty: true })) continue;
    let opacity = 1;
    for (let each = element; each; each = each.parentElement) opacity *= Number(getComputedStyle(each).opacity);
    if (opacity === 0) continue;
    const style = getComputedStyle(element);
    const below = ground(element);
    const [red, green, blue, alpha] = rgba(element instanceof SVGElement ? style.fill : style.color);
    const text = over([red, green, blue, alpha * opacity], below);
    const [darker, brighter] = [light(text), light(below)].sort((a, b) => a - b);
    const ratio = (brighter + 0.05) / (darker + 0.05);
    const size = Number.parseFloat(style.fontSize);
    const needed = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700) ? 3 : 4.5;
    if (ratio < needed) found.set(`${style.color} on ${below.map(Math.round)}`, `"${element.textContent.trim().slice(0, 30)}" has a contrast of ${ratio.toFixed(2)}`);
  }
  return [...found].map(([colors, text]) => `${text} (${colors})`);
}
