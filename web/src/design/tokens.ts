/** Every colour, size and duration there is, once. `npm run tokens` writes tokens.css from it; the map's style
 * (map/style.ts) and the contrast test read it too. Nothing else may name a colour. */

export type Theme = {
  canvas: string // the page behind everything
  panel: string // what lies on the map
  raised: string // a control on a panel
  line: string // hairlines
  text: string
  quiet: string // secondary text
  accent: string // the one thing to do
  onAccent: string
  waits: string // amber: waits for someone
  bad: string // failed or late
  going: string // on the way
  good: string // done
  focus: string
  shade: string // behind a dialog
  map: {
    land: string
    water: string
    green: string
    building: string
    street: string
    streetCase: string
    mainStreet: string
    motorway: string
    label: string
    labelHalo: string
  }
}

export const themes: Record<'light' | 'dark', Theme> = {
  light: {
    canvas: '#F4F5F5',
    panel: '#FFFFFF',
    raised: '#F0F2F2',
    line: '#D5DADA',
    text: '#16201F',
    quiet: '#526060',
    accent: '#0F766E',
    onAccent: '#FFFFFF',
    waits: '#8F5200',
    bad: '#B42318',
    going: '#175CD3',
    good: '#18703B',
    focus: '#0F766E',
    shade: '#0B141480',
    map: {
      land: '#F2F3F1',
      water: '#C9DDE5',
      green: '#DDE8D6',
      building: '#E6E6E2',
      street: '#FFFFFF',
      streetCase: '#DADDD9',
      mainStreet: '#FFFFFF',
      motorway: '#F3E3C3',
      label: '#4B5655',
      labelHalo: '#F8F9F8',
    },
  },
  dark: {
    canvas: '#0E1414',
    panel: '#151D1D',
    raised: '#1E2828',
    line: '#324040',
    text: '#E8EFEE',
    quiet: '#9FB0AE',
    accent: '#2DD4BF',
    onAccent: '#06201D',
    waits: '#F0B35A',
    bad: '#FF8A7A',
    going: '#84B5FF',
    good: '#5DD28C',
    focus: '#2DD4BF',
    shade: '#000000A6',
    map: {
      land: '#121919',
      water: '#0F2630',
      green: '#15221A',
      building: '#1A2322',
      street: '#2A3534',
      streetCase: '#121919',
      mainStreet: '#3A4746',
      motorway: '#4A4636',
      label: '#9AA9A7',
      labelHalo: '#101717',
    },
  },
}

export const radius = { panel: '12px', control: '8px' }
/** Pixels; the line height goes with each. */
export const type = { xs: [12, 16], sm: [14, 20], md: [16, 24], lg: [20, 28], xl: [28, 36] } as const
export const motion = { quick: '150ms', calm: '200ms', ease: 'cubic-bezier(0, 0, 0.2, 1)' }
/** Touch targets by face: Drive is used with one hand in the sun, Dispatch with a mouse. */
export const target = { drive: '48px', touch: '44px', comfortable: '40px', compact: '28px' }
export const font = "'Inter Variable', system-ui, sans-serif"
