// Entry of the lab page: reads which lab it is, asks the server for it and mounts the workspace. Until the answer is
// there the server's own rendering of the first step stays on the page.

import "./ui/base.css";
import "./workspace/workspace.css";
import { createRoot } from "react-dom/client";
import { allowLibrariesToStyle } from "./ui/csp";
import { App } from "./workspace/App";

const root = document.getElementById("workspace");
const bootstrap = document.getElementById("bootstrap");
if (!root || !bootstrap) throw new Error("the lab page lacks #workspace or #bootstrap");

const { workshop, lab } = JSON.parse(bootstrap.textContent ?? "") as { workshop: string; lab: string };
allowLibrariesToStyle();
createRoot(root).render(<App workshop={workshop} lab={lab} firstPaint={root.innerHTML} />);
