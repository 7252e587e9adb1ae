import { useState } from 'react';
import { Form } from 'react-router';

export async function action({ request }) {
  return { word: (await request.formData()).get('word') };
}

export default function Home({ actionData }) {
  const [count, setCount] = useState(0);
  return (
    <>
      <h1>first words</h1>
      <button type="button" id="count" onClick={() => setCount(count + 1)}>
        {count}
      </button>
      <Form method="post">
        <input name="word" />
        <button>Say</button>
      </Form>
      {actionData && <p id="said">{actionData.word}</p>}
    </>
  );
}
