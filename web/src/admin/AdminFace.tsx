/** The administration: its sections beside the page, each read when it is first opened. */
import { type ComponentType, Component as ReactComponent, type ReactNode, Suspense } from 'react'
import { useTranslation } from 'react-i18next'
import { Navigate, NavLink, Route, Routes } from 'react-router'
import { useUser } from '@/app/hooks.ts'
import { part } from '@/app/part.ts'
import { loadWords } from '@/i18n/parts.ts'
import { Button, cx, Empty, Skeleton } from '@/ui/index.tsx'
import { Tabs } from '@/ui/Tabs.tsx'
import { Toaster } from '@/ui/toast.tsx'
import type { Section } from './section.ts'

const found = import.meta.glob<Section>('./*/section.ts', { eager: true, import: 'section' })
type Entry = Section & { Page: ComponentType }
const sections: Entry[] = Object.values(found)
  .sort((a, b) => a.order - b.order)
  .map((section) => ({
    ...section,
    Page: part(async () => {
      await loadWords('admin', 'set', ...section.words)
      return section.load()
    }),
  }))

const Words = part(async () => {
  await loadWords('admin', 'set')
  return { default: ({ children }: { children: ReactNode }) => children }
})

export function Component() {
  return (
    <Suspense fallback={<Skeleton className="m-4 h-40" />}>
      <Words>
        <Face />
      </Words>
    </Suspense>
  )
}

function Face() {
  const { t } = useTranslation()
  const user = useUser()
  const mine = sections.filter((section) => user !== null && section.roles.includes(user.role))
  return (
    <div className="flex h-full min-h-0 flex-col md:flex-row">
      <Tabs
        label={t('admin.title')}
        around="shrink-0 md:w-52"
        className="border-line bg-panel p-2 max-md:border-b md:h-full md:flex-col md:overflow-y-auto md:border-e"
      >
        {mine.map((section) => (
          <NavLink
            key={section.path}
            to={`/admin/${section.path}`}
            className={({ isActive }) =>
              cx(
                'flex min-h-touch shrink-0 items-center rounded-control px-3 text-sm',
                isActive ? 'bg-raised font-semibold text-accent' : 'text-quiet hover:bg-raised',
              )
            }
          >
            {t(section.name)}
          </NavLink>
        ))}
      </Tabs>
      <div className="min-h-0 min-w-0 grow overflow-y-auto">
        <Routes>
          {mine.map(({ path, Page }) => (
            <Route
              key={path}
              path={`${path}/*`}
              element={
                <Boundary key={path} fallback={<Broken />}>
                  <Suspense fallback={<Skeleton className="m-4 h-40" />}>
                    <Page />
                  </Suspense>
                </Boundary>
              }
            />
          ))}
          <Route index element={mine[0] ? <Navigate to={mine[0].path} replace /> : <Closed />} />
          <Route path="*" element={<Closed />} />
        </Routes>
      </div>
      <Toaster />
    </div>
  )
}

/** Not there, or not for this role. */
function Closed() {
  const { t } = useTranslation()
  return (
    <>
      <h1 className="sr-only">{t('admin.title')}</h1>
      <Empty>{t('admin.closed')}</Empty>
    </>
  )
}

function Broken() {
  const { t } = useTranslation()
  return (
    <>
      <h1 className="sr-only">{t('admin.title')}</h1>
      <Empty action={<Button onClick={() => window.location.reload()}>{t('retry')}</Button>}>
        {t('admin.broken')}
      </Empty>
    </>
  )
}

/** A section that cannot be read, or breaks, takes no other with it. */
class Boundary extends ReactComponent<{ fallback: ReactNode; children: ReactNode }, { failed: boolean }> {
  override state = { failed: false }
  static getDerivedStateFromError() {
    return { failed: true }
  }
  override render() {
    return this.state.failed ? this.props.fallback : this.props.children
  }
}
