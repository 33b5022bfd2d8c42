/** Google's encoded polyline with PRECISION decimals → [lng, lat] pairs, as GeoJSON wants them. */
export function decodePolyline(text: string, precision = 6): [number, number][] {
  const factor = 10 ** precision
  const line: [number, number][] = []
  let at = 0
  const next = () => {
    let value = 0
    for (let shift = 0; ; shift += 5) {
      const byte = text.charCodeAt(at++) - 63
      value |= (byte & 31) << shift
      if (byte < 32 || Number.isNaN(byte)) return value & 1 ? ~(value >> 1) : value >> 1
    }
  }
  let lat = 0
  let lng = 0
  while (at < text.length) {
    lat += next()
    lng += next()
    line.push([lng / factor, lat / factor])
  }
  return line
}
