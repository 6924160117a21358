// Text to the clipboard, and a word to say that it is there.

export async function copy(text, button) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    fallBack(text, button);  // pages without https have no clipboard
  }
  button.textContent = "Copied";
  setTimeout(() => { button.textContent = "Copy"; }, 1500);
}

function fallBack(text, button) {
  const field = document.createElement("textarea");
  field.value = text;
  button.after(field);
  field.select();
  document.execCommand("copy");
  field.remove();
  button.focus();
}
