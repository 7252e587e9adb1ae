document.querySelector('h1').textContent = 'first words';
const button = document.querySelector('#count');
button.addEventListener('click', () => {
  button.textContent = Number(button.textContent) + 1;
});
