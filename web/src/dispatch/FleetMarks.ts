/** All vehicles as one layer of the map, moved by the graphics card. A vehicle is one instance of a square with a picture on
 * it: where it was, where it goes, between which times, and which way it looks. So gliding costs the page one draw call a
 * frame however many there are, and a fix costs it one row of numbers; nothing is made anew ten times a second.
 *
 * State shows by shape as well as colour: an arrow is busy, a ring with a point is free; who has not been heard of for a
 * while is faint. */
import type { CustomLayerInterface, CustomRenderMethodInput, Map as MapLibre } from 'maplibre-gl'
import type { Theme } from '@/design/tokens.ts'
import { ROW, type Slots } from './slots.ts'

export const pictures = { on: 0, busy: 1, chosen: 2 } as const
export const STALE_S = 60
const SIZE = 48 // px of a picture; drawn at half of that, for sharp screens
const FRAME_MS = 33

const VERTEX = `#version 300 es
layout(location = 0) in vec2 corner;
layout(location = 1) in vec4 way;
layout(location = 2) in vec2 turn;
layout(location = 3) in vec3 times; // start, end, seen
layout(location = 4) in vec2 look;  // picture, shown
uniform mat4 matrix;
uniform vec2 size;
uniform float now, stale;
out vec2 at;
out float strength;
void main() {
  float part = times.y > times.x ? clamp((now - times.x) / (times.y - times.x), 0.0, 1.0) : 1.0;
  float angle = mix(turn.x, turn.y, part);
  vec2 turned = vec2(corner.x * cos(angle) + corner.y * sin(angle), corner.y * cos(angle) - corner.x * sin(angle));
  gl_Position = matrix * vec4(mix(way.xy, way.zw, part), 0.0, 1.0);
  gl_Position.xy += turned * size * gl_Position.w;
  if (look.y < 0.5) gl_Position = vec4(2.0, 2.0, 2.0, 1.0); // outside of what is seen
  at = vec2((look.x + corner.x * 0.5 + 0.5) / ${Object.keys(pictures).length}.0, 0.5 - corner.y * 0.5);
  strength = now - times.z > stale ? 0.45 : 1.0;
}`
const FRAGMENT = `#version 300 es
precision mediump float;
uniform sampler2D atlas;
in vec2 at;
in float strength;
out vec4 colour;
void main() { colour = texture(atlas, at) * strength; }`

function arrow(c: CanvasRenderingContext2D, colour: string, rim: string): void {
  c.beginPath()
  c.moveTo(SIZE / 2, 4)
  c.lineTo(SIZE - 10, SIZE - 8)
  c.lineTo(SIZE / 2, SIZE - 15)
  c.lineTo(10, SIZE - 8)
  c.closePath()
  c.lineWidth = 4
  c.lineJoin = 'round'
  c.strokeStyle = rim
  c.stroke()
  c.fillStyle = colour
  c.fill()
}
function ring(c: CanvasRenderingContext2D, colour: string, rim: string): void {
  c.beginPath()
  c.arc(SIZE / 2, SIZE / 2, 11, 0, 2 * Math.PI)
  c.lineWidth = 11
  c.strokeStyle = rim
  c.stroke()
  c.lineWidth = 6
  c.strokeStyle = colour
  c.stroke()
  c.beginPath() // where he is heading
  c.moveTo(SIZE / 2, 2)
  c.lineTo(SIZE / 2 + 6, 12)
  c.lineTo(SIZE / 2 - 6, 12)
  c.closePath()
  c.fillStyle = colour
  c.fill()
}
/** The pictures in the order of their numbers, side by side. */
function atlas(theme: Theme): HTMLCanvasElement {
  const canvas = document.createElement('canvas')
  canvas.width = SIZE * Object.keys(pictures).length
  canvas.height = SIZE
  const c = canvas.getContext('2d') as CanvasRenderingContext2D
  ring(c, theme.good, theme.panel)
  c.translate(SIZE, 0)
  arrow(c, theme.going, theme.panel)
  c.translate(SIZE, 0)
  arrow(c, theme.accent, theme.panel)
  return canvas
}

const uniforms = ['matrix', 'size', 'now', 'stale', 'atlas'] as const

function programOf(gl: WebGL2RenderingContext): WebGLProgram {
  const program = gl.createProgram() as WebGLProgram
  for (const [kind, source] of [
    [gl.VERTEX_SHADER, VERTEX],
    [gl.FRAGMENT_SHADER, FRAGMENT],
  ] as const) {
    const shader = gl.createShader(kind) as WebGLShader
    gl.shaderSource(shader, source)
    gl.compileShader(shader)
    gl.attachShader(program, shader)
    gl.deleteShader(shader)
  }
  gl.linkProgram(program)
  if (!gl.getProgramParameter(program, gl.LINK_STATUS) && !gl.isContextLost())
    throw new Error(`the vehicles cannot be drawn: ${gl.getProgramInfoLog(program)}`)
  return program
}

/** How big a mark is at ZOOM, in px from its middle to its side. */
export function reachPx(zoom: number): number {
  const size = Math.min(1, Math.max(0.5, 0.5 + (zoom - 10) * 0.1))
  return (SIZE / 4) * size
}

export class FleetMarks implements CustomLayerInterface {
  readonly id = 'fleet'
  readonly type = 'custom'
  readonly renderingMode = '2d'
  /** To be sent again before the next picture. */
  changed = true
  /** Until when something glides, in seconds since `epoch`. */
  until = 0
  private map: MapLibre | null = null
  private made: {
    program: WebGLProgram
    uniforms: Record<(typeof uniforms)[number], WebGLUniformLocation | null>
    rows: WebGLBuffer
    corners: WebGLBuffer
    vertices: WebGLVertexArrayObject
    texture: WebGLTexture
    room: number
  } | null = null
  private timer: ReturnType<typeof setTimeout> | undefined
  private theme: Theme
  private painted = false // the pictures are on the graphics card, in the theme's colours
  private readonly slots: Slots
  private readonly epoch: number
  private readonly origin: { x: number; y: number }

  /** EPOCH: ms of performance.now() from which the rows' times count; ORIGIN: from where their places count. */
  constructor(theme: Theme, slots: Slots, epoch: number, origin: { x: number; y: number }) {
    this.theme = theme
    this.slots = slots
    this.epoch = epoch
    this.origin = origin
  }

  onAdd(map: MapLibre, gl: WebGL2RenderingContext): void {
    this.map = map
    const [rows, corners] = [gl.createBuffer(), gl.createBuffer()]
    const vertices = gl.createVertexArray()
    const texture = gl.createTexture()
    gl.bindVertexArray(vertices)
    gl.bindBuffer(gl.ARRAY_BUFFER, corners)
    gl.bufferData(gl.ARRAY_BUFFER, new Float32Array([-1, -1, 1, -1, -1, 1, 1, 1]), gl.STATIC_DRAW)
    gl.enableVertexAttribArray(0)
    gl.vertexAttribPointer(0, 2, gl.FLOAT, false, 0, 0)
    gl.bindBuffer(gl.ARRAY_BUFFER, rows)
    let offset = 0
    for (const [i, floats] of [4, 2, 3, 2].entries()) {
      gl.enableVertexAttribArray(i + 1)
      gl.vertexAttribPointer(i + 1, floats, gl.FLOAT, false, ROW * 4, offset * 4)
      gl.vertexAttribDivisor(i + 1, 1)
      offset += floats
    }
    gl.bindVertexArray(null)
    const program = programOf(gl)
    const places = uniforms.map((name) => [name, gl.getUniformLocation(program, name)])
    this.made = {
      program,
      uniforms: Object.fromEntries(places),
      rows,
      corners,
      vertices,
      texture,
      room: 0,
    }
    this.painted = false
    this.changed = true
  }

  /** The same vehicles in other colours, from the next picture on. */
  recolour(theme: Theme): void {
    if (theme === this.theme) return
    this.theme = theme
    this.painted = false
    this.map?.triggerRepaint()
  }
  private paint(gl: WebGL2RenderingContext, texture: WebGLTexture): void {
    gl.activeTexture(gl.TEXTURE0)
    gl.bindTexture(gl.TEXTURE_2D, texture)
    gl.pixelStorei(gl.UNPACK_PREMULTIPLY_ALPHA_WEBGL, true)
    gl.pixelStorei(gl.UNPACK_FLIP_Y_WEBGL, false)
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, gl.RGBA, gl.UNSIGNED_BYTE, atlas(this.theme))
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.LINEAR)
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, gl.LINEAR)
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE)
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE)
    this.painted = true
  }

  onRemove(_map: MapLibre, gl: WebGL2RenderingContext): void {
    clearTimeout(this.timer)
    this.map = null
    if (this.made === null) return
    gl.deleteProgram(this.made.program)
    gl.deleteBuffer(this.made.rows)
    gl.deleteBuffer(this.made.corners)
    gl.deleteVertexArray(this.made.vertices)
    gl.deleteTexture(this.made.texture)
    this.made = null
  }

  private send(gl: WebGL2RenderingContext): void {
    const { made, slots } = this
    if (made === null) return
    gl.bindBuffer(gl.ARRAY_BUFFER, made.rows)
    if (made.room < slots.data.length) {
      gl.bufferData(gl.ARRAY_BUFFER, slots.data, gl.DYNAMIC_DRAW)
      made.room = slots.data.length
    } else gl.bufferSubData(gl.ARRAY_BUFFER, 0, slots.data, 0, slots.count * ROW)
    this.changed = false
  }

  /** The map's matrix for places that are relative to the origin; in 64 bits, for 32 would shake the marks when near. */
  private matrix(m: ArrayLike<number>): Float32Array {
    const { x, y } = this.origin
    const moved = Float32Array.from(m)
    for (let i = 0; i < 4; i++)
      moved[12 + i] = (m[i] as number) * x + (m[4 + i] as number) * y + (m[12 + i] as number)
    return moved
  }

  render(gl: WebGL2RenderingContext | WebGLRenderingContext, input: CustomRenderMethodInput): void {
    const { made, map } = this
    if (made === null || map === null || !(gl instanceof WebGL2RenderingContext)) return
    if (this.changed) this.send(gl)
    if (!this.painted) this.paint(gl, made.texture)
    const now = (performance.now() - this.epoch) / 1000
    const canvas = map.getCanvas()
    const reach = reachPx(map.getZoom())
    // biome-ignore lint/correctness/useHookAtTopLevel: WebGL's, not React's
    gl.useProgram(made.program)
    gl.uniformMatrix4fv(made.uniforms.matrix, false, this.matrix(input.defaultProjectionData.mainMatrix))
    gl.uniform2f(made.uniforms.size, (2 * reach) / canvas.clientWidth, (2 * reach) / canvas.clientHeight)
    gl.uniform1f(made.uniforms.now, now)
    gl.uniform1f(made.uniforms.stale, STALE_S)
    gl.uniform1i(made.uniforms.atlas, 0)
    gl.activeTexture(gl.TEXTURE0)
    gl.bindTexture(gl.TEXTURE_2D, made.texture)
    gl.bindVertexArray(made.vertices)
    gl.drawArraysInstanced(gl.TRIANGLE_STRIP, 0, 4, this.slots.count)
    gl.bindVertexArray(null)
    if (now < this.until && this.timer === undefined)
      this.timer = setTimeout(() => {
        this.timer = undefined
        if (!document.hidden) this.map?.triggerRepaint()
      }, FRAME_MS)
  }
}
