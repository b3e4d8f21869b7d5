// Which kernel a lab runs in, as a sentence. Pure.

const SHARED: Record<string, string> = {
  trusted: "shared with the labs of people who trust each other",
  strangers: "shared with the labs of others, each shut in",
};

/** `kernel` is what `uname -r` says, empty when the host has not said it. */
export function kernelSentence(runtime: string, isolation: string, kernel: string): string {
  const release = kernel ? ` ${kernel}` : "";
  if (runtime === "vm") return `Runs in its own kernel${release}, in a VM.`;
  return `Runs in the host's kernel${release}, ${SHARED[isolation] ?? "shared with other labs"}.`;
}

/** 6.12.57+deb13-amd64 as 6.12.57. */
export function shortRelease(kernel: string): string {
  return kernel.replace(/^(\d+\.\d+(\.\d+)?).*/, "$1");
}
