import Link from 'next/link';

export default function Page() {
  return (
    <>
      <h1>about words</h1>
      <Link href="/about/team">Team</Link>
    </>
  );
}
