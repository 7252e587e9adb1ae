export default async function Said({ searchParams }) {
  const { word } = await searchParams;
  return <p id="said">{word}</p>;
}
