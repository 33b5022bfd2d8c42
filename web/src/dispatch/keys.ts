/** Where the keys of the shortcuts lie, for keyboards that write no Latin letters. */
const places: Record<string, string> = { KeyJ: 'j', KeyK: 'k', KeyX: 'x', KeyA: 'a', Slash: '/' }

/** Which shortcut a key press means. On an Arabic or Hindi keyboard the place counts, for no key there writes "j". */
export function shortcutOf({ key, code, shiftKey }: Pick<KeyboardEvent, 'key' | 'code' | 'shiftKey'>) {
  if (key.length > 1 || key <= '~') return key
  const place = places[code]
  return place === '/' && shiftKey ? '?' : (place ?? key)
}
