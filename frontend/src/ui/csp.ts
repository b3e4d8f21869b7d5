// Lets libraries style the page under `style-src 'self' 'nonce-...'`, without any relaxation of it. Two of xterm.js's ways
// are refused by that policy: style elements without the nonce, and setAttribute("style") on spans for true colours.
// It has no option for either, so both are turned into what the policy allows, for this page, before anything is loaded.
// docs/decisions/ says why.

import { cspNonce } from "./theme";

export function allowLibrariesToStyle(): void {
  const nonce = cspNonce();
  if (!nonce) return;
  const createElement = document.createElement.bind(document) as typeof document.createElement;
  document.createElement = ((tag: string, options?: ElementCreationOptions) => {
    const element = createElement(tag, options);
    if (tag === "style") element.nonce = nonce;
    return element;
  }) as typeof document.createElement;

  HTMLSpanElement.prototype.setAttribute = function (this: HTMLSpanElement, name: string, value: string) {
    if (name === "style")
      this.style.cssText = value; // the same through the CSSOM, which the policy allows
    else Element.prototype.setAttribute.call(this, name, value);
  };
}
