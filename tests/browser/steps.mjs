/** Steps that scripts share, each waiting until what it leads to is there, however slow the machine. */

/**
 * Let an act lead to another page: until it has loaded, a click on it may find no script, and a list not all its rows.
 * A filter typed in a list leads nowhere: htmx exchanges the list, at once with its address.
 */
export async function follow(page, act) {
  await Promise.all([page.waitForEvent("load"), act]);
}

/** The text of the toast that an act brings and that holds `part`; looked for from the beginning, as toasts go after seconds. */
export async function said(page, part, act) {
  const shown = page.waitForFunction((text) => [...document.querySelectorAll(".toast")].map((each) => each.textContent).find((each) => each.includes(text)), part);
  const [toast] = await Promise.all([shown, act]);
  return toast.jsonValue();
}

/** Text of every cell of the rows on screen, by row. */
export async function rowsOf(page) {
  return page.$$eval("#rows > tr", (rows) => rows.map((row) => [...row.children].map((cell) => (cell.textContent ?? "").replace(/\s+/g, " ").trim())));
}
