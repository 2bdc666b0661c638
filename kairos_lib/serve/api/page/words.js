// Numbers as people read them.

export function memory(mib) {
  return Math.round(mib) < 1024 ? `${Math.round(mib)} MiB` : `${(mib / 1024).toFixed(1)} GiB`;
}

export function duration(seconds) {
  if (seconds < 60) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  const whole = Math.round(seconds);
  if (whole < 3600) return `${Math.floor(whole / 60)}m ${String(whole % 60).padStart(2, "0")}s`;
  const minutes = Math.round(seconds / 60);
  return `${Math.floor(minutes / 60)}h ${String(minutes % 60).padStart(2, "0")}m`;
}

export function timeCode(seconds) {
  const tenths = Math.round(seconds * 10);
  const minutes = Math.floor(tenths / 600);
  const rest = ((tenths % 600) / 10).toFixed(1).padStart(4, "0");
  if (minutes < 60) return `${minutes}:${rest}`;
  return `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, "0")}:${rest}`;
}

export function share(part) {
  return `${Math.round(part * 100)}%`;
}

export function factor(rtf) {
  return `${rtf < 1 ? rtf.toPrecision(2) : rtf.toFixed(1)}x`;
}

export function clock(secondsSince1970) {
  const when = new Date(secondsSince1970 * 1000);
  const today = when.toDateString() === new Date().toDateString();
  const time = { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false };
  return today
    ? when.toLocaleTimeString("en-GB", time)
    : when.toLocaleString("en-GB", { day: "numeric", month: "short", ...time });
}

export function count(number, one, many = `${one}s`) {
  return `${number.toLocaleString("en")} ${number === 1 ? one : many}`;
}
