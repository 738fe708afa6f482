// The label that is being typed: 1 to 22, X or Y, shown over the karyogram until Enter.

export const typed = {
  label: "",
  add(key) {
    const [alone, longer] = [key.toUpperCase(), this.label + key.toUpperCase()];
    this.show(/^([1-9]|1[0-9]|2[0-2]|X|Y)$/.test(longer) ? longer : /^([1-9]|X|Y)$/.test(alone) ? alone : this.label);
  },
  clear() {
    this.show("");
  },
  show(label) {
    this.label = label;
    document.getElementById("typed").textContent = label ? `→ ${label} ⏎` : "";
  },
};
