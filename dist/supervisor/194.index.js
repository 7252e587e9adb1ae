export const id = 194;
export const ids = [194];
export const modules = {

/***/ 8194:
/***/ ((module) => {

module.exports = eval("require")("proxy-agent");


/***/ })

};
