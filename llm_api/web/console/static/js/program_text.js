// Text and values as shells and Python write them, whatever signs are in them.

export const INDENT = "    ";

/** A file that the user has chosen: in JSON its data URI, which programs read from the disk. */
export class AttachedFile {
  constructor(name, type, base64) {
    this.name = name;
    this.type = type;
    this.base64 = base64;
  }

  get dataUri() {
    return `data:${this.type};base64,${this.base64}`;
  }

  toJSON() {
    return this.dataUri;
  }
}

// JSON leaves out what is undefined; programs do, too.
export function sentFields(object) {
  return Object.entries(object).filter(([, value]) => value !== undefined);
}

// Signs that a reader does not see, or that change the order in which he reads.
const UNSEEN =
  /[\u0000-\u001f\u007f-\u00a0\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|\p{Cs}/gu;
const PYTHON_SHORT = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

function unicodeEscape(sign) {
  return `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

// In single quotes nothing is special to a POSIX shell but the quote itself.
export function shellQuoted(text) {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** Returns JSON of two columns an indent, in which no sign is unseen. */
export function jsonText(value) {
  return JSON.stringify(value, null, 2).replace(UNSEEN, (sign) =>
    sign === "\n" ? sign : unicodeEscape(sign),
  );
}

export function pythonString(text) {
  const escaped = text
    .replaceAll("\\", "\\\\")
    .replaceAll('"', '\\"')
    .replace(UNSEEN, (sign) => PYTHON_SHORT[sign] ?? unicodeEscape(sign));
  return `"${escaped}"`;
}

/** Returns an expression for a value of JSON that begins at an indent. */
export function pythonValue(value, indent = "") {
  if (value instanceof AttachedFile) return pythonDataUri(value);
  if (value === null) return "None";
  if (value === true) return "True";
  if (value === false) return "False";
  if (typeof value === "string") return pythonString(value);
  if (typeof value === "number") return JSON.stringify(value);
  const inner = indent + INDENT;
  if (Array.isArray(value)) {
    return bracketed("[", value.map((one) => pythonValue(one, inner)), "]", indent);
  }
  const fields = sentFields(value).map(
    ([name, one]) => `${pythonString(name)}: ${pythonValue(one, inner)}`,
  );
  return bracketed("{", fields, "}", indent);
}

function pythonDataUri(file) {
  const read = `pathlib.Path(${pythonString(file.name)}).read_bytes()`;
  return `${pythonString(`data:${file.type};base64,`)} + base64.b64encode(${read}).decode()`;
}

/** Returns items in brackets, each in a line of its own. */
export function bracketed(open, items, close, indent) {
  if (items.length === 0) return open + close;
  return `${open}\n${items.map((item) => `${indent}${INDENT}${item},\n`).join("")}${indent}${close}`;
}
