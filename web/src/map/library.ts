/** What draws maps, with its looks and its worker: one part, which comes when a map is shown. */
import { Map as MapLibre, setWorkerUrl } from 'maplibre-gl'
import worker from 'maplibre-gl/dist/maplibre-gl-worker.mjs?url'
import 'maplibre-gl/dist/maplibre-gl.css'

setWorkerUrl(worker)

export { MapLibre }
