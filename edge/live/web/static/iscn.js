// A karyotype that is too long for its line goes on after a comma or a slash, not before one.

export function writeKaryotype(element, text) {
  const terms = text.split(/(?<=[,/])/);
  element.replaceChildren(...terms.flatMap((term, k) => (k ? [document.createElement("wbr"), term] : [term])));
}
