export default {
  title: 'Pages',
  cleanUrls: true,
  head: [['link', { rel: 'icon', href: 'data:,' }]],
};
