/** From where to where. The arrow points the way the language is read; a name in another script keeps its own direction. */
export function Way({ from, to }: { from: string; to: string }) {
  return (
    <>
      <bdi>{from}</bdi> <span className="inline-block rtl:-scale-x-100">→</span> <bdi>{to}</bdi>
    </>
  )
}
