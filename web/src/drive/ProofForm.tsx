/** What a stop asks for before it is done: only that, and nothing that has been given. It is kept on the device and sent
 * with the steps, in their order. */
import { type PointerEvent, useEffect, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { Schemas } from '@/api/client.ts'
import { bytes } from '@/i18n/format.ts'
import { Button, Field } from '@/ui/index.tsx'
import type { Given } from './acts.ts'
import { shrunk } from './picture.ts'

type Props = { kinds: Schemas['ProofKind'][]; onGive: (given: Given) => void }
export function ProofForm({ kinds, onGive }: Props) {
  const { t } = useTranslation()
  const [pin, setPin] = useState('')
  const [name, setName] = useState('')
  const [photo, setPhoto] = useState<Blob | null>(null)
  const [signature, setSignature] = useState<Blob | null>(null)
  const asks = (kind: Schemas['ProofKind']) => kinds.includes(kind)
  const whole =
    (!asks('pin') || /^[0-9]{4}$/.test(pin)) &&
    (!asks('name') || name.trim() !== '') &&
    (!asks('photo') || photo !== null) &&
    (!asks('signature') || signature !== null)
  function give() {
    onGive({
      ...(asks('pin') && { pin }),
      ...(asks('name') && { name: name.trim() }),
      ...(asks('photo') && photo && { photo }),
      ...(asks('signature') && signature && { signature }),
    })
  }
  return (
    <form
      aria-label={t('proof.title')}
      className="grid gap-4 rounded-panel border border-line p-3"
      onSubmit={(e) => {
        e.preventDefault()
        if (whole) give()
      }}
    >
      <h2 className="font-medium">{t('proof.title')}</h2>
      {asks('pin') && (
        <Field
          size="drive"
          label={t('proof.pin')}
          value={pin}
          inputMode="numeric"
          autoComplete="off"
          maxLength={4}
          onChange={(e) => setPin(e.target.value.replace(/[^0-9]/g, ''))}
        />
      )}
      {asks('name') && (
        <Field
          size="drive"
          label={t('proof.name')}
          value={name}
          autoComplete="off"
          maxLength={100}
          onChange={(e) => setName(e.target.value)}
        />
      )}
      {asks('photo') && <PhotoField photo={photo} onTake={setPhoto} />}
      {asks('signature') && <SignatureField onSign={setSignature} />}
      <Button kind="primary" size="drive" type="submit" disabled={!whole}>
        {t('proof.give')}
      </Button>
    </form>
  )
}

export function PhotoField({ photo, onTake }: { photo: Blob | null; onTake: (photo: Blob | null) => void }) {
  const { t } = useTranslation()
  const [failed, setFailed] = useState(false)
  async function take(file: File | undefined) {
    if (file === undefined) return
    const small = await shrunk(file).catch(() => null)
    setFailed(small === null)
    onTake(small)
  }
  return (
    <div className="grid gap-1">
      <label className="grid min-h-drive cursor-pointer content-center rounded-control border border-line px-3 text-center font-medium focus-within:outline-2">
        {t(photo === null ? 'proof.photo' : 'proof.photoAgain')}
        <input
          type="file"
          accept="image/*"
          capture="environment"
          className="sr-only"
          onChange={(e) => void take(e.target.files?.[0])}
        />
      </label>
      <p aria-live="polite" className="text-sm text-quiet">
        {photo && <>✓ {t('proof.photoTaken', { size: bytes(photo.size) })}</>}
        {failed && t('proof.photoBad')}
      </p>
    </div>
  )
}

const WIDTH = 640
const HEIGHT = 240
const PEN = 4

/** Drawn with a finger; who cannot draw types a name, which is drawn for him. */
function SignatureField({ onSign }: { onSign: (signature: Blob | null) => void }) {
  const { t } = useTranslation()
  const canvas = useRef<HTMLCanvasElement>(null)
  const [typed, setTyped] = useState('')
  const [drawn, setDrawn] = useState(false)
  const pen = () => canvas.current?.getContext('2d') ?? null
  const keep = () => canvas.current?.toBlob((blob) => onSign(blob), 'image/png')

  function clear() {
    const c = pen()
    if (c === null) return
    c.fillStyle = '#ffffff'
    c.fillRect(0, 0, WIDTH, HEIGHT)
    setDrawn(false)
  }
  // biome-ignore lint/correctness/useExhaustiveDependencies: once, so that the paper is white
  useEffect(clear, [])

  function at(e: PointerEvent<HTMLCanvasElement>): [number, number] {
    const box = e.currentTarget.getBoundingClientRect()
    return [((e.clientX - box.left) / box.width) * WIDTH, ((e.clientY - box.top) / box.height) * HEIGHT]
  }
  function down(e: PointerEvent<HTMLCanvasElement>) {
    const c = pen()
    if (c === null) return
    e.currentTarget.setPointerCapture(e.pointerId)
    if (typed !== '') {
      setTyped('')
      clear()
    }
    c.strokeStyle = '#000000'
    c.lineWidth = PEN
    c.lineCap = c.lineJoin = 'round'
    c.beginPath()
    c.moveTo(...at(e))
  }
  function move(e: PointerEvent<HTMLCanvasElement>) {
    const c = pen()
    if (c === null || e.buttons === 0) return
    c.lineTo(...at(e))
    c.stroke()
    setDrawn(true)
  }
  function up() {
    if (drawn) keep()
  }
  function type(words: string) {
    setTyped(words)
    clear()
    const c = pen()
    if (c === null) return
    if (words.trim() === '') {
      onSign(null)
      return
    }
    c.fillStyle = '#000000'
    c.font = `italic ${HEIGHT / 3}px serif`
    c.textAlign = 'center'
    c.textBaseline = 'middle'
    c.fillText(words, WIDTH / 2, HEIGHT / 2, WIDTH - 40)
    keep()
  }
  return (
    <fieldset className="grid gap-2">
      <legend className="font-medium">{t('proof.signature')}</legend>
      <canvas
        ref={canvas}
        width={WIDTH}
        height={HEIGHT}
        role="img"
        aria-label={t(drawn || typed !== '' ? 'proof.signed' : 'proof.signHere')}
        className="w-full touch-none rounded-control border border-line bg-white"
        onPointerDown={down}
        onPointerMove={move}
        onPointerUp={up}
      />
      <Field
        size="drive"
        label={t('proof.signTyped')}
        value={typed}
        autoComplete="off"
        maxLength={60}
        onChange={(e) => type(e.target.value)}
      />
      <Button
        size="drive"
        type="button"
        onClick={() => {
          setTyped('')
          clear()
          onSign(null)
        }}
      >
        {t('proof.signAgain')}
      </Button>
    </fieldset>
  )
}
