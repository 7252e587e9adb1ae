import Link from 'next/link';
import Counter from './counter';

export default function Page() {
  return (
    <>
      <h1>first words</h1>
      <Counter />
      <Link href="/about">About</Link>
    </>
  );
}
