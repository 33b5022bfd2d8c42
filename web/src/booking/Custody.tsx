/** The chain of custody as a file to keep, for whoever may have it, and how it is checked. */
import { useMutation } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'
import { api } from '@/api/client.ts'
import { Button, Failure } from '@/ui/index.tsx'

export function Custody({ bookingId, code }: { bookingId: string; code: string }) {
  const { t } = useTranslation()
  const fetching = useMutation({
    mutationFn: async () => {
      const params = { path: { id: bookingId } }
      const { data, response } = await api.GET('/v1/bookings/{id}/custody', { params, parseAs: 'blob' })
      const named = /filename="([^"]+)"/.exec(response.headers.get('Content-Disposition') ?? '')
      const link = document.createElement('a')
      link.href = URL.createObjectURL(data as unknown as Blob)
      link.download = named?.[1] ?? `lorry-${code}.custody.jsonl`
      link.click()
      setTimeout(() => URL.revokeObjectURL(link.href), 10_000)
    },
  })
  return (
    <div className="grid justify-items-start gap-2 text-sm">
      <Button busy={fetching.isPending} onClick={() => fetching.mutate()}>
        {t('arrive.custody.get')}
      </Button>
      <p className="text-quiet">
        {t('arrive.custody.more')} <code dir="ltr">lorry verify</code>
      </p>
      {fetching.error && <Failure error={fetching.error} retry={() => fetching.mutate()} />}
    </div>
  )
}
