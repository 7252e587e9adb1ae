import { Counter } from './Counter';

export default { title: 'Counter', component: Counter };
export const Plain = {};
