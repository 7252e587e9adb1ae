import { say } from './actions';
import { Counter } from './counter';

export default function Page() {
  return (
    <>
      <h1>first words</h1>
      <Counter />
      <form action={say}>
        <input name="word" />
        <button>Say</button>
      </form>
    </>
  );
}
