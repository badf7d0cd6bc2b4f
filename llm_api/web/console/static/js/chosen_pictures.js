// Pictures that somebody has chosen, dropped or pasted.

import { AttachedFile } from "./program_text.js";

const TYPES = ["image/png", "image/jpeg", "image/webp"];
export const MAX_BYTES = 10_000_000; // of the service, for one picture

/** Returns why a file cannot be judged: `type`, `size`, or nothing. */
export function problemOf(file) {
  if (!TYPES.includes(file.type)) return "type";
  return file.size > MAX_BYTES ? "size" : "";
}

/** Returns the first file of a drop or of a clipboard; null for none. */
export function fileIn(transfer) {
  return transfer?.files?.[0] ?? null;
}

/** Reads a file. */
export async function attached(file) {
  const address = await new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(file);
  });
  const name = file.name || `picture.${file.type.split("/")[1]}`;
  return new AttachedFile(name, file.type, address.slice(address.indexOf(",") + 1));
}
