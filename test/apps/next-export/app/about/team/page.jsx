export default function Page() {
  return <h1>team words</h1>;
}
