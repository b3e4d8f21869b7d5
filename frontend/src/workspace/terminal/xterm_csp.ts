// xterm.js under a strict CSP. It adds style elements without a nonce and writes true colours with setAttribute("style"),
// both of which `style-src 'self' 'nonce-...'` refuses. It takes a document to make its elements with, so it gets the
// page's document behind a proxy whose elements carry the nonce and set styles through the CSSOM, which the CSP allows.

import { cspNonce } from "../../ui/theme";

function setAttributeThroughCssom(this: HTMLElement, name: string, value: string): void {
  if (name === "style") this.style.cssText = value;
  else Element.prototype.setAttribute.call(this, name, value);
}

/** For the terminal option `documentOverride`. */
export function documentForTerminals(): Document {
  const nonce = cspNonce();
  const createElement = (tag: string, options?: ElementCreationOptions): HTMLElement => {
    const element = document.createElement(tag, options);
    if (tag === "style" && nonce) element.nonce = nonce;
    if (tag === "span") element.setAttribute = setAttributeThroughCssom;
    return element;
  };
  return new Proxy(document, {
    get(target, key) {
      if (key === "createElement") return createElement;
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
    set(target, key, value) {
      return Reflect.set(target, key, value, target);
    },
  });
}
