// Whether WebGL is drawn by hardware. Drawn by software it is slower than the terminal's DOM renderer.

let answer: boolean | null = null;

export function hasHardwareWebgl(): boolean {
  answer ??= probe();
  return answer;
}

function probe(): boolean {
  const context = document.createElement("canvas").getContext("webgl2", { failIfMajorPerformanceCaveat: true });
  if (!context) return false;
  const info = context.getExtension("WEBGL_debug_renderer_info");
  const renderer = info ? String(context.getParameter(info.UNMASKED_RENDERER_WEBGL)) : "";
  context.getExtension("WEBGL_lose_context")?.loseContext();
  return !/swiftshader|llvmpipe|software|basic render/i.test(renderer);
}
