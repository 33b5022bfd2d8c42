/** The API reference: api/openapi.yaml as Swagger UI shows it. What is tried out goes to this server, as whoever is
 * signed in here. Its script comes with this page and no other. */
import './docs.css'
import { useQuery } from '@tanstack/react-query'
import { useEffect, useRef } from 'react'
import { useTranslation } from 'react-i18next'
import { Link } from 'react-router'
import { problemOf } from '@/api/problem.ts'
import { accessToken } from '@/api/session.ts'
import { useUser } from '@/app/hooks.ts'
import { useTheme } from '@/app/theme.ts'
import { Failure, Skeleton } from '@/ui/index.tsx'
import { lorryPlugin, mend } from './plugin.ts'

type Description = { info: { title: string; description?: string }; servers: unknown[] }

async function load() {
  const [answer, viewer] = await Promise.all([fetch('/openapi.json'), import('./viewer.ts')])
  if (!answer.ok) throw await problemOf(answer)
  const spec = (await answer.json()) as Description
  return { spec: { ...spec, servers: [{ url: window.location.origin }] }, SwaggerUI: viewer.default }
}

export function Component() {
  const { t } = useTranslation()
  const user = useUser()
  const dark = useTheme() === 'dark'
  const { data, error, refetch } = useQuery({
    queryKey: ['api-description'],
    queryFn: load,
    staleTime: Infinity,
  })
  const place = useRef<HTMLDivElement>(null)

  useEffect(() => {
    document.documentElement.classList.toggle('dark-mode', dark) // the viewer's own word for it
    return () => document.documentElement.classList.remove('dark-mode')
  }, [dark])

  useEffect(() => {
    const box = place.current
    if (data === undefined || box === null) return
    const stop = mend(box)
    data.SwaggerUI({
      domNode: box,
      spec: data.spec,
      layout: 'LorryLayout',
      deepLinking: true,
      docExpansion: 'list',
      defaultModelsExpandDepth: 0,
      displayRequestDuration: true,
      tryItOutEnabled: true,
      validatorUrl: null,
      plugins: [lorryPlugin],
      requestInterceptor: async (request) => {
        const token = await accessToken()
        if (token !== null) request.headers = { ...request.headers, Authorization: `Bearer ${token}` }
        return request
      },
    })
    return () => {
      stop()
      box.replaceChildren()
    }
  }, [data])

  return (
    <div className="mx-auto max-w-5xl p-4" lang="en" dir="ltr">
      <h1 className="text-xl font-semibold">{t('docs.title')}</h1>
      <p className="mt-1 text-quiet">
        {user ? t('docs.as', { name: user.name }) : t('docs.nobody')}{' '}
        {!user && (
          <Link className="text-accent underline" to="/sign-in?next=/docs">
            {t('signIn.do')}
          </Link>
        )}
      </p>
      <p className="mt-1 text-sm">
        <a className="text-accent underline" href="/openapi.yaml" download>
          openapi.yaml
        </a>{' '}
        ·{' '}
        <a className="text-accent underline" href="/asyncapi.yaml" download>
          asyncapi.yaml
        </a>
      </p>
      {error && <Failure error={error} retry={() => void refetch()} />}
      {data === undefined && !error && <Skeleton className="mt-4 h-96" />}
      <div ref={place} id="api" />
    </div>
  )
}
