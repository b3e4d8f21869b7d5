// How much time is left, as a person says it.

export function timeLeft(seconds: number): string {
  const minutes = Math.floor(seconds / 60);
  if (minutes >= 60) return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")} min`;
  if (minutes >= 5) return `${minutes} min`;
  return `${minutes}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;
}
