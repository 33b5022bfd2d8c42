/** A file that only some may read: fetched with the account's token when it is asked for. */
import { useQuery } from '@tanstack/react-query'
import { useEffect, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { api } from '@/api/client.ts'
import { Button, Failure, Skeleton } from '@/ui/index.tsx'

type Props = { id: string; type: string; name: string; size?: 'touch' | 'drive' }
export function FileView({ id, type, name, size = 'touch' }: Props) {
  const { t } = useTranslation()
  const [open, setOpen] = useState(false)
  const file = useQuery({
    queryKey: ['files', id],
    queryFn: async () =>
      (await api.GET('/v1/files/{id}', { params: { path: { id } }, parseAs: 'blob' })).data as Blob,
    enabled: open,
    staleTime: Number.POSITIVE_INFINITY,
  })
  return (
    <div className="grid justify-items-start gap-2">
      <Button size={size} aria-expanded={open} onClick={() => setOpen(!open)}>
        {t(open ? 'papers.hide' : 'papers.show')} <span className="sr-only">{name}</span>
      </Button>
      {open && file.isPending && <Skeleton className="h-40 w-full" />}
      {open && file.error && <Failure error={file.error} retry={() => void file.refetch()} />}
      {open && file.data && <Shown blob={file.data} type={type} name={name} />}
    </div>
  )
}

function Shown({ blob, type, name }: { blob: Blob; type: string; name: string }) {
  const { t } = useTranslation()
  const [url, setUrl] = useState<string>()
  useEffect(() => {
    const made = URL.createObjectURL(blob)
    setUrl(made)
    return () => URL.revokeObjectURL(made)
  }, [blob])
  if (url === undefined) return null
  if (type.startsWith('image/'))
    return <img src={url} alt={name} className="max-h-[70vh] max-w-full rounded-control border border-line" />
  return (
    <a href={url} download={`${name}.pdf`} className="text-accent underline">
      {t('papers.download')}
    </a>
  )
}
