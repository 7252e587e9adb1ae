// Compiled with `--bindings esm` for the page, and without for Vite's `?init`.
export function sum(to: i32): i32 {
  let total = 0;
  for (let number = 1; number <= to; number++) total += number;
  return total;
}

export function next(count: i32): i32 {
  return count + 1;
}
