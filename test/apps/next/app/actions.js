'use server';
import { redirect } from 'next/navigation';

export async function say(form) {
  redirect(`/said?word=${encodeURIComponent(form.get('word'))}`);
}
