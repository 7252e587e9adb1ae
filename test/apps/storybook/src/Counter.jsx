import { useState } from 'react';

export function Counter() {
  const [count, setCount] = useState(0);
  return (
    <>
      <h1>first words</h1>
      <button type="button" id="count" onClick={() => setCount(count + 1)}>
        {count}
      </button>
    </>
  );
}
