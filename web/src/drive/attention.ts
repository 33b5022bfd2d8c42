/** What makes a driver look: sound and vibration for an offer, a screen that stays on. */
let audio: AudioContext | undefined

/** Browsers let a page sound only after a touch: called when somebody goes on duty, or touches the page. */
export function allowSound(): void {
  audio ??= new AudioContext()
  if (audio.state === 'suspended') void audio.resume()
}

/** Two rising notes, twice; and the same for the hand. */
export function callForAttention(): void {
  navigator.vibrate?.([200, 100, 200, 300, 200, 100, 200])
  if (audio?.state !== 'running') return
  for (const [after, hertz] of [
    [0, 660],
    [0.2, 880],
    [0.7, 660],
    [0.9, 880],
  ] as const)
    note(audio, audio.currentTime + after, hertz)
}

function note(context: AudioContext, at: number, hertz: number): void {
  const tone = context.createOscillator()
  const loudness = context.createGain()
  tone.frequency.value = hertz
  loudness.gain.setValueAtTime(0, at)
  loudness.gain.linearRampToValueAtTime(0.4, at + 0.02)
  loudness.gain.exponentialRampToValueAtTime(0.001, at + 0.18)
  tone.connect(loudness).connect(context.destination)
  tone.start(at)
  tone.stop(at + 0.2)
}

/** Keeps the screen on until the function that is returned is called. The browser lets go of it whenever the page is
 * hidden: it is asked for again when it shows. */
export function keepAwake(): () => void {
  let lock: WakeLockSentinel | undefined
  let over = false
  const ask = async () => {
    if (over || document.visibilityState !== 'visible' || navigator.wakeLock === undefined) return
    const got = await navigator.wakeLock.request('screen').catch(() => undefined) // low battery: the screen goes off
    if (over) void got?.release()
    else lock = got
  }
  const onShow = () => void ask()
  document.addEventListener('visibilitychange', onShow)
  void ask()
  return () => {
    over = true
    document.removeEventListener('visibilitychange', onShow)
    void lock?.release()
  }
}
