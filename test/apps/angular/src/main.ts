import { Component, signal } from '@angular/core';
import { bootstrapApplication } from '@angular/platform-browser';

@Component({
  selector: 'app-root',
  template: `
    <h1>first words</h1>
    <button id="count" (click)="count.set(count() + 1)">{{ count() }}</button>
  `,
})
class App {
  readonly count = signal(0);
}

bootstrapApplication(App);
