export function Logo({ size = 20 }: { size?: number }) {
  return (
    <svg aria-hidden width={size} height={size} viewBox="0 0 32 32">
      <rect width="32" height="32" rx="8" className="fill-accent-solid" />
      <path d="M8 22 16 8l8 14h-4.2L16 15.2 12.2 22z" fill="#fff" />
      <rect x="8" y="24" width="16" height="2" rx="1" fill="#fff" opacity=".55" />
    </svg>
  );
}
