/** The quote in front of what a spreadsheet would run; services/query/formulas.py says why so. */
const BEGINS = /^'*[-=+@\t\r\n＝＋－＠]/;

/** @param {string} text @returns {string} a text that no spreadsheet runs as a formula */
export const guarded = (text) => (BEGINS.test(text) ? `'${text}` : text);
