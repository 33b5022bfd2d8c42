/** Stars, and a word if one likes; or what was said already. */
import { useMutation } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { Schemas } from '@/api/client.ts'
import { Button, cx, Failure, Field } from '@/ui/index.tsx'

type Props<T> = {
  /** What was said already; null: nothing yet. */
  rating: { stars: number; comment?: string | null } | null
  send: (body: Schemas['RatingRequest']) => Promise<T>
  onDone: (answer: T) => void
}
export function RatingForm<T>({ rating, send, onDone }: Props<T>) {
  const { t } = useTranslation()
  const [stars, setStars] = useState(0)
  const [comment, setComment] = useState('')
  const rate = useMutation({
    mutationFn: () => send(comment.trim() ? { stars, comment: comment.trim() } : { stars }),
    onSuccess: onDone,
  })
  if (rating !== null)
    return (
      <p>
        <span role="img" aria-label={t('rating.given', { count: rating.stars })} className="text-waits">
          {'★'.repeat(rating.stars)}
        </span>{' '}
        {rating.comment}
      </p>
    )
  return (
    <form
      className="grid gap-3 rounded-panel border border-line p-3"
      onSubmit={(event) => {
        event.preventDefault()
        rate.mutate()
      }}
    >
      <fieldset className="flex">
        <legend className="font-medium">{t('rating.ask')}</legend>
        {[1, 2, 3, 4, 5].map((n) => (
          <label
            key={n}
            className="flex size-touch items-center justify-center rounded-control has-focus-visible:outline-2"
          >
            <input
              type="radio"
              name="stars"
              className="sr-only"
              checked={stars === n}
              onChange={() => setStars(n)}
            />
            <span aria-hidden className={cx('text-xl', n <= stars ? 'text-waits' : 'text-quiet')}>
              {n <= stars ? '★' : '☆'}
            </span>
            <span className="sr-only">{t('rating.given', { count: n })}</span>
          </label>
        ))}
      </fieldset>
      {stars > 0 && (
        <>
          <Field
            label={t('rating.comment')}
            value={comment}
            maxLength={500}
            onChange={(e) => setComment(e.target.value)}
          />
          {rate.error !== null && <Failure error={rate.error} />}
          <Button kind="primary" type="submit" busy={rate.isPending}>
            {t('rating.do')}
          </Button>
        </>
      )}
    </form>
  )
}
